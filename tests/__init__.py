"""The tests: every folder of the product has one here, under the same name."""
