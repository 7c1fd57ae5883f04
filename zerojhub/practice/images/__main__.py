"""Builds the images that are built on demand: `python -m zerojhub.practice.images`."""

from zerojhub.practice import build
from zerojhub.practice.ground import GroundError

if __name__ == "__main__":
    try:
        build.build_images_on_demand(print)
    except GroundError as error:
        raise SystemExit(str(error)) from None
