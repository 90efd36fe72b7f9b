"""When a text is a near-copy of others, for modules that find such texts and those that name the rule."""

SHINGLE_WORDS = 5
"""Words of an n-gram by which copies are found."""
THRESHOLD = 0.5
RULE = f"containment of word {SHINGLE_WORDS}-grams in the train side of at least {THRESHOLD}"
