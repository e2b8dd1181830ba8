"""The coordinator: asks, adds up, writes down, goes on. It learns totals (see the threat notes for
what plain sums let it see until the secure sum replaces them).
"""
