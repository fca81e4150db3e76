"""Tests of whole programs: processes, sockets, files."""
