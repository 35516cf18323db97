"""The demo: build, train, evaluate and compare on the sample."""
