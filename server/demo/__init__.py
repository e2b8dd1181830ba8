"""`lianfang-server demo`: the shared list with all its parties on one machine, to try it alone.

identities.py   people who do not exist
folders.py      every party's folder, with certificates of an authority of its own
processes.py    key holders and registry as processes; ends all of them
watch.py        who of them has ended, and whether what is left answers
story.py        the key, a few entries, and the commands to try
"""
