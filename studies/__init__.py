"""Questions asked of finished runs, or of corpora beside the workflow; docs/ tells what came out."""
