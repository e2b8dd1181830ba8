"""The consortium at its coordinator: founded once, members invited, admitted, renewed, revoked.

founding.py      consortium.toml, authority, the coordinator's own keys
invitations.py   who may join, each once
admission.py     a request becomes a member: over the network or as a file
members.py       who has joined, who is revoked
renewal.py       certificates that end, over the same identity keys
folder.py        names of the files, and one writer at a time
"""
