"""Commands of `lianfang-client` that are more than one call: each adds its words to the parser."""
