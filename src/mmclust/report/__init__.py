"""One page that shows a whole run, and what `dvc plots` needs to work offline."""
