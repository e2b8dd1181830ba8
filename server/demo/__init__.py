"""`lianfang-server demo`: shared list and rings with all parties on one machine, to try it alone.

identities.py   people who do not exist
folders.py      every party's folder, with certificates of an authority of its own
processes.py    key holders, registry and case desk as processes; ends all of them
watch.py        who of them has ended, and whether what is left answers
rings.py        what lenders observed in a week, a ring among it
trying.py       a command to try, and how it went
story.py        the key, a few entries, and the commands to try
"""
