"""Builds the images of older charts: `python -m zerojhub.practice.images`."""

from zerojhub.practice import build
from zerojhub.practice.ground import GroundError

if __name__ == "__main__":
    try:
        build.build_older_images(print)
    except GroundError as error:
        raise SystemExit(str(error)) from None
