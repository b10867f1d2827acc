"""``python -m tsugiki``: the command line."""

from tsugiki.cli.main import run

if __name__ == "__main__":
    run()
