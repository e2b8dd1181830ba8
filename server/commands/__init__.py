"""Commands of `lianfang-server` for the shared list: each adds its words to the parser."""
