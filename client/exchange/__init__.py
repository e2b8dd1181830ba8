"""A lender's part in the exchange: its copy of the list, its tokens, its books."""
