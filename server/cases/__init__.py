"""The case desk: lenders' edges under one case's tokens in, a signed bulletin of rings out.

Never where a share of the tokens' key is (`server.apart`): both together could enumerate people.
"""
