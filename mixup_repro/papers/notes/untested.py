"""Claims of the notes that nothing here tests yet: id, sentence in our words, and where.

They need trained networks. One that an item takes up leaves this list.
"""

UNTESTED = ()
