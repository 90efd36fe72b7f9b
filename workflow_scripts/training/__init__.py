"""Models: how they are made (recipes), trained in one or several processes, and evaluated document by document."""
