"""Tests of the example's programs, which run from their own folders and belong to no package."""
