"""Dates as Kestra reads and writes them: Java's patterns, zones and units."""
