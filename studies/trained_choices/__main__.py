"""Make the training sets of all arms, train them with the workflow, and compare their losses.

    python -m studies.trained_choices --part select --corpora FOLDER --work FOLDER --dsir-python PYTHON
    python -m studies.trained_choices --part mix --corpora FOLDER --work FOLDER
    python -m studies.trained_choices --part analyse --work FOLDER --output docs/results/trained_choices

FOLDER has <corpus>.jsonl.gz with a column `text`; `--dsir-python` is a Python with data-selection installed. Finished
work in the work folder is not repeated.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from studies.trained_choices import arms, configs, texts
from studies.trained_choices import registered as plan
from studies.trained_choices.analysis import summary, unigram_loss
from workflow_scripts.command_line import parser_for, run
from workflow_scripts.errors import UserError
from workflow_scripts.storage.tables import read_frame
from workflow_scripts.workflow_files import snakefile

COMMAND = "import sys; from workflow_scripts.plumbline_command import main; main(sys.argv[1:])"


def main(argv: Sequence[str] | None = None) -> None:
    parser = parser_for(__doc__)
    parser.add_argument("--part", required=True, choices=["select", "mix", "analyse"])
    parser.add_argument("--work", required=True, type=Path, help="folder for everything that is made")
    parser.add_argument("--corpora", type=Path, help="folder of the corpora; for select and mix")
    parser.add_argument("--dsir-python", help="a Python with data-selection installed; for select")
    parser.add_argument("--output", type=Path, help="folder of the tables; for analyse")
    given = parser.parse_args(argv)
    work = given.work.resolve()
    if given.part == "analyse":
        if given.output is None:
            raise UserError("the part analyse writes tables: name their folder with --output")
        analyse(work, given.output)
        return
    if given.corpora is None:
        raise UserError(f"the part {given.part} reads corpora: name their folder with --corpora")
    corpora = given.corpora.resolve()
    texts.prepare(corpora, work)
    if given.part == "mix":
        train(configs.mix_config(work, corpora, mix_shares(corpora, work)), work)
        return
    if given.dsir_python is None:
        raise UserError("the part select has an arm of DSIR: name a Python that has it with --dsir-python")
    train(configs.select_config(work, choose_all(work, given.dsir_python)), work)


def choose_all(work: Path, dsir_python: str) -> dict[tuple[str, str], Path]:
    """The file of chosen rows of each target and arm; every arm has CHOSEN_TOKENS, up to the end of its last row."""
    from workflow_scripts.tokens.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(str(texts.tokenizer_folder(work)))
    chosen = {}
    for target in plan.TARGETS:
        pool = texts.pool_of(work, target)
        rows = [(name, row) for name, path in pool.items() for row in texts.read_texts(path)]
        ids: list[np.ndarray] = []
        for arm in plan.ARMS:
            path = work / "chosen" / target / f"{arm}.jsonl"
            chosen[target, arm] = path
            if path.exists():
                continue
            ids = ids or texts.encoded([row for _, row in rows], tokenizer)
            lengths = np.array([len(one) for one in ids])
            order = order_of(arm, target, rows, ids, work, dsir_python)
            taken = arms.first_tokens(order, lengths, plan.CHOSEN_TOKENS)
            sources = pd.Series([rows[n][0] for n in taken])
            shares = pd.Series(lengths[taken]).groupby(sources).sum()
            frame = shares.rename("tokens").rename_axis("source").reset_index().assign(target=target, arm=arm)
            path.parent.mkdir(parents=True, exist_ok=True)
            frame.to_csv(path.with_suffix(".csv"), index=False)
            texts.write_texts([rows[n][1] for n in taken], path)
    return chosen


def order_of(
    arm: str,
    target: str,
    rows: Sequence[tuple[str, str]],
    ids: Sequence[np.ndarray],
    work: Path,
    dsir_python: str,
) -> np.ndarray:
    """Rows of the pool, in the order in which they are used."""
    from workflow_scripts.tokens.tokenizer import load_tokenizer

    draws = np.random.default_rng([plan.DRAW_SEED, plan.TARGETS.index(target)])
    target_rows = texts.read_texts(texts.half_file(work, target, "given"))
    match arm:
        case plan.OURS:
            return selected(target, rows, work, "ngrams")
        case plan.FISHER:
            return selected(target, rows, work, "fisher")
        case "random":
            return draws.permutation(len(rows))
        case "pool_order":
            return np.arange(len(rows))
        case "dsir":
            scratch = work / "dsir" / target
            whole = texts.write_texts((row for _, row in rows), scratch / "pool.jsonl")
            given = texts.half_file(work, target, "given")
            return arms.dsir_order(dsir_python, whole, given, scratch, plan.DRAW_SEED)
        case "zip_fit":
            drawn = draws.choice(len(target_rows), plan.ZIP_FIT_TARGET_ROWS, replace=False)
            scores = arms.zip_fit_scores([row for _, row in rows], [target_rows[n] for n in drawn])
        case "perplexity":
            tokenizer = load_tokenizer(str(texts.tokenizer_folder(work)))
            scores = arms.log_probability_scores(
                ids, texts.encoded(target_rows, tokenizer), plan.PERPLEXITY_ORDER, plan.VOCABULARY
            )
        case _:
            raise ValueError(f"there is no arm {arm}")
    return np.argsort(-scores, kind="stable")


def selected(target: str, rows: Sequence[tuple[str, str]], work: Path, score: str) -> np.ndarray:
    """The choice of `plumbline select` by one of its scores, in the order of its rank."""
    output = work / f"select_{score}" / target / "chosen.parquet"
    files = texts.pool_of(work, target)
    if not output.exists():
        output.parent.mkdir(parents=True, exist_ok=True)
        given = [str(texts.half_file(work, target, "given")), *map(str, files.values())]
        wanted = ("--tokens", str(plan.ASKED_TOKENS), "--score", score)
        plumbline("select", *given, *wanted, "--output", str(output))
    table = pd.read_parquet(output).sort_values("rank")
    first: dict[str, int] = {}
    for n, (name, _) in enumerate(rows):
        first.setdefault(name, n)
    names = [Path(path).stem for path in table["source_file"]]
    found = np.array([first[name] + row for name, row in zip(names, table["source_row"], strict=True)])
    for n, text in zip(found, table["text"], strict=True):
        if rows[n][1] != text:
            raise ValueError(f"row {n} of the pool is not what was selected")
    return found


def mix_shares(corpora: Path, work: Path) -> dict[str, dict[str, float]]:
    """For each pair and arm, the shares that `plumbline mix` proposes and alternatives; single has one candidate."""
    found = {}
    for pair, targets in plan.PAIRS.items():
        output = work / "mix" / pair
        if not (output / "mix.parquet").exists():
            given = [str(texts.half_file(work, target, "given")) for target in targets]
            candidates = [str(corpora / f"{name}.jsonl.gz") for name in plan.CANDIDATES]
            plumbline(
                *("mix", *given, "--from", *candidates),
                *("--tokens", str(plan.TRAINED_TOKENS), "--output", str(output)),
            )
        table = read_frame(output / "mix.parquet")
        names = [label.removesuffix(".jsonl.gz") for label in table["candidate"]]
        for arm in plan.MIX_ARMS:
            column = "share" if arm == plan.MIX_OURS else f"{arm}_share"
            shares = {name: round(float(share), 4) for name, share in zip(names, table[column], strict=True)}
            most = max(shares, key=lambda name: shares[name])
            shares[most] = round(shares[most] + 1 - sum(shares.values()), 4)
            found[f"{pair}_{arm}"] = shares
    return found


def plumbline(*given: str) -> None:
    subprocess.run([sys.executable, "-c", COMMAND, *given, "--cores", "1", "--text", "text"], check=True)


def train(config: dict[str, object], work: Path) -> None:
    """Run the workflow up to the losses, and save the config's names of arms with them, if it has any."""
    arms_of_sets = config.pop("arms", None)
    path = work / f"{config['run']}.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    if arms_of_sets is not None:
        path.with_suffix(".arms.yaml").write_text(yaml.safe_dump(arms_of_sets), encoding="utf-8")
    call = [sys.executable, "-m", "snakemake", "training", "--snakefile", str(snakefile()), "--cores", "1"]
    subprocess.run([*call, "--directory", str(work), "--configfile", str(path)], check=True)


def select_losses(work: Path) -> pd.DataFrame:
    losses = read_frame(work / "results" / "select" / "losses" / "loss_summary.parquet")
    prefix = losses["eval_set"] + "_"
    arm = [name.removeprefix(start) for name, start in zip(losses["train_set"], prefix, strict=True)]
    return losses.assign(arm=arm, target=losses["eval_set"])[["arm", "target", "seed", "loss"]]


def unigram_losses(work: Path) -> pd.DataFrame:
    """Losses of models that know only the token frequencies of the chosen text."""
    from workflow_scripts.tokens.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(str(texts.tokenizer_folder(work)))

    def tokens(path: Path) -> np.ndarray:
        return np.concatenate(texts.encoded(texts.read_texts(path), tokenizer))

    rows = []
    for target in plan.TARGETS:
        evaluated = tokens(texts.half_file(work, target, "evaluated"))
        for arm in plan.ARMS:
            trained = tokens(work / "chosen" / target / f"{arm}.jsonl")
            rows.append((target, arm, unigram_loss(trained, evaluated, plan.VOCABULARY)))
    return pd.DataFrame(rows, columns=["target", "arm", "loss"])


def mix_losses(work: Path) -> pd.DataFrame:
    """Mean loss of the two targets of a pair, which is the unit."""
    losses = read_frame(work / "results" / "mix" / "losses" / "loss_summary.parquet")
    names = yaml.safe_load((work / "mix.arms.yaml").read_text(encoding="utf-8"))
    tables = []
    for pair, targets in plan.PAIRS.items():
        for arm in plan.MIX_ARMS:
            of_arm = losses[(losses["experiment"] == pair) & (losses["train_set"] == names[f"{pair}_{arm}"])]
            for target in targets:
                of_target = of_arm[of_arm["eval_set"] == target]
                tables.append(of_target.assign(arm=arm, target=target, pair=pair))
    return pd.concat(tables)[["pair", "arm", "target", "seed", "loss"]]


def analyse(work: Path, output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    sources = [pd.read_csv(path) for path in sorted((work / "chosen").glob("*/*.csv"))]
    pd.concat(sources)[["target", "arm", "source", "tokens"]].to_csv(
        output / "select_sources.csv", index=False
    )
    losses = select_losses(work)
    _write(losses, output / "select_losses.csv")
    _write(summary(losses, plan.OURS), output / "select_differences.csv")
    _write(unigram_losses(work), output / "select_unigrams.csv")
    if not (work / "results" / "mix" / "losses" / "loss_summary.parquet").exists():
        return
    losses = mix_losses(work)
    _write(losses, output / "mix_losses.csv")
    of_pairs = losses.groupby(["pair", "arm", "seed"], as_index=False)["loss"].mean()
    _write(
        summary(of_pairs.rename(columns={"pair": "target"}), plan.MIX_OURS), output / "mix_differences.csv"
    )
    shares = [
        read_frame(work / "mix" / pair / "mix.parquet").assign(pair=pair).filter(regex="pair|candidate|share")
        for pair in plan.PAIRS
    ]
    _write(pd.concat(shares), output / "mix_shares.csv")


def _write(table: pd.DataFrame, path: Path) -> None:
    table.round(5).to_csv(path, index=False)
    print(table.round(4).to_string(), flush=True)


if __name__ == "__main__":
    run(main)
