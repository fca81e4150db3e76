"""Unit tests of Greengrass."""
