"""Specs that users get wrong, each with every code and place that edgepipe must give."""
