"""All scripts as one command: ``rnnsent compare …`` does as ``python -m experiments.compare …``."""

from rnnsent import command


def main() -> None:
    """The installed command ``rnnsent``."""
    command.run("experiments")


if __name__ == "__main__":
    main()
