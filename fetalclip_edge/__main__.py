"""`python -m fetalclip_edge` is the command line."""

from fetalclip_edge.cli.app import main

if __name__ == "__main__":
    main()
