PYTHON ?= python3

.PHONY: run test lint clean

run:
	@$(PYTHON) bootstrap.py run

test:
	@$(PYTHON) bootstrap.py test

lint:
	@$(PYTHON) bootstrap.py lint

clean:
	@$(PYTHON) bootstrap.py clean
