"""Benchmarks: which images of a source count, under which class, with which captions.

One file is one benchmark, found by its name; files with a leading underscore
are helpers. A benchmark reads a source's files where they lie and copies none.
"""
