"""Settings fixed before the first run: targets, pool, arms, budgets, seeds. One arm, FISHER, was added later."""

TARGETS = ("pile_nih_exporter", "pile_hackernews", "pile_stackexchange")
POOL = (
    *("fairytales", "pile_cc", "pile_dm_mathematics", "pile_enron_emails", "pile_europarl", "pile_github"),
    *("pile_hackernews", "pile_nih_exporter", "pile_philpapers", "pile_pubmed_abstracts"),
    *("pile_stackexchange", "pile_ubuntu_irc", "pile_uspto_backgrounds", "pile_wikipedia", "pubmed"),
    *("scitldr_abstracts", "sgd_dialogues", "shakespeare", "standin_arxiv", "standin_freelaw"),
    *("standin_gutenberg", "standin_pubmed_central", "tinystories", "uspto", "wikitext2"),
)
"""A target's pool does not include its own corpus."""
TOKENIZER_CORPUS = "pile_openwebtext2"
OURS = "select"
FISHER = "fisher"
"""`plumbline select --score fisher`; added when the others were recorded."""
ARMS = (OURS, "random", "pool_order", "dsir", "zip_fit", "perplexity", FISHER)

WORDS_PER_ROW = 128
"""Longer documents are cut to the row length of DSIR's package."""
POOL_BYTES_PER_CORPUS = 600_000
TRAINED_TOKENS = 131_072
CHOSEN_TOKENS = TRAINED_TOKENS + 4_096
"""More than the training budget, because packing drops text that does not fill a row."""
ASKED_TOKENS = 250_000
"""Budget of `plumbline select`, whose tokenizer has longer tokens. The best rows are used, up to CHOSEN_TOKENS."""
SEEDS = (0, 1, 2, 3, 4)
DRAW_SEED = 0
ZIP_FIT_TARGET_ROWS = 20
PERPLEXITY_ORDER = 3
VOCABULARY = 2048
EVALUATED_TOKENS = 32_768

PAIRS = {
    "nih_stackexchange": ("pile_nih_exporter", "pile_stackexchange"),
    "hackernews_patents": ("pile_hackernews", "pile_uspto_backgrounds"),
}
CANDIDATES = ("pubmed", "uspto", "pile_github", "pile_ubuntu_irc", "pile_cc", "standin_gutenberg")
MIX_OURS = "mix"
MIX_ARMS = (MIX_OURS, "uniform", "natural", "single")
CANDIDATE_BYTES = 1_500_000

ALL_TARGETS = tuple(dict.fromkeys([*TARGETS, *(target for pair in PAIRS.values() for target in pair)]))
