"""Measurements that anyone can repeat from a clone of the repository; no part of the package."""
