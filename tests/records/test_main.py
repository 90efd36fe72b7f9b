"""Documents are written where they stand, each with the figures that it shows."""

import pytest

from workflow_scripts.errors import UserError
from workflow_scripts.records.__main__ import main


def test_each_document_gets_its_figures_at_the_path_that_it_shows(tmp_path):
    drawn = tmp_path / "runs" / "real" / "report" / "figures" / "league.svg"
    drawn.parent.mkdir(parents=True)
    drawn.write_text("<svg/>")
    (tmp_path / "docs" / "results").mkdir(parents=True)
    main_page, page = tmp_path / "docs" / "RESULTS.md", tmp_path / "docs" / "results" / "real.md"
    main_page.write_text("no figure")
    page.write_text("![l](real/league.svg)")
    main(["write", "--runs", str(tmp_path / "runs"), "--documents", str(main_page), str(page)])
    assert (page.parent / "real" / "league.svg").read_text() == "<svg/>"
    page.write_text("![l](real/other.svg)")
    with pytest.raises(UserError, match=r"shows other\.svg, which the run real has not drawn"):
        main(["write", "--runs", str(tmp_path / "runs"), "--documents", str(page)])
