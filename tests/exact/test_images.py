"""Rules of images. The kernels return float32 whatever they are given, so they agree to its digits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.exact.checking import compare

_RANDOM = np.random.default_rng(9)
IMAGE = _RANDOM.uniform(size=(2, 4, 5, 2))
COLOURS = np.array([[0.1, 0.5, 0.9], [0.7, 0.2, 0.3], [0.3, 0.8, 0.4], [0.9, 0.1, 0.8]]).reshape(1, 2, 2, 3)
BOXES = np.array([[0.11, 0.07, 0.83, 0.91], [-0.2, 0.13, 1.13, 0.77]])
TURN = [[0.9, 0.1, 0.3, -0.1, 1.1, 0.2, 0.0, 0.0]]


def _resize(name: str, size: list[int], **options: bool) -> Any:
    return lambda x: getattr(tf.raw_ops, name)(images=x, size=size, **options)


def _crop(x: Any, boxes: Any, size: tuple[int, int] = (3, 2), **options: Any) -> Any:
    return tf.image.crop_and_resize(x, tf.cast(boxes, tf.float32), [0, 1], size, **options)


def _projected(x: Any, **options: Any) -> Any:
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=x, transforms=TURN, output_shape=[4, 4], fill_value=0.5, interpolation="BILINEAR", **options
    )


CASES: dict[str, tuple[Any, ...]] = {
    "bilinear": (_resize("ResizeBilinear", [6, 3]), IMAGE),
    "bilinear, corners": (_resize("ResizeBilinear", [6, 3], align_corners=True), IMAGE),
    "bilinear, centres": (_resize("ResizeBilinear", [3, 7], half_pixel_centers=True), IMAGE),
    "nearest": (_resize("ResizeNearestNeighbor", [6, 3]), IMAGE),
    "nearest, centres": (_resize("ResizeNearestNeighbor", [6, 3], half_pixel_centers=True), IMAGE),
    "bicubic": (_resize("ResizeBicubic", [6, 3]), IMAGE),
    "bicubic, centres": (_resize("ResizeBicubic", [3, 7], half_pixel_centers=True), IMAGE),
    "area": (_resize("ResizeArea", [3, 2]), IMAGE),
    "lanczos": (lambda x: tf.image.resize(tf.cast(x, tf.float32), [3, 7], "lanczos3", antialias=True), IMAGE),
    "crop": (_crop, IMAGE, BOXES),
    "crop to one row": (lambda x, b: _crop(x, b, (1, 3), extrapolation_value=2.0), IMAGE, BOXES),
    "crop, nearest": (lambda x: _crop(x, BOXES, method="nearest"), IMAGE),
    "projected": (_projected, IMAGE),
    "projected, reflected": (lambda x: _projected(x, fill_mode="REFLECT"), IMAGE),
    "contrast": (lambda x: tf.image.adjust_contrast(tf.cast(x, tf.float32), 1.7), IMAGE),
    "to hsv": (lambda x: tf.image.rgb_to_hsv(tf.cast(x, tf.float32)), COLOURS),
    "to rgb": (tf.image.hsv_to_rgb, COLOURS),
}
WITHOUT_GRADIENT = {"area", "contrast", "to rgb", "lanczos"}
# TensorFlow transforms what is passed back by the inverse, which is not the gradient.
WITHOUT_GRADIENT |= {"projected", "projected, reflected"}


@pytest.mark.parametrize("name", CASES)
def test_value_and_derivative(name: str) -> None:
    function, *arrays = CASES[name]
    # The functions are linear, or nearly: a large step keeps the digits of float32.
    compare(
        function, *arrays, gradient=name not in WITHOUT_GRADIENT, rtol=1e-5, step=1.0 if "projected" in name else 1e-2
    )


def test_greys_have_no_hue() -> None:
    compare(tf.image.rgb_to_hsv, np.full((1, 1, 1, 3), 0.5), tie=True)


@pytest.mark.parametrize("name", ["ResizeBilinear", "ResizeBicubic"])
def test_gradients_of_resizing(name: str) -> None:
    raw = getattr(tf.raw_ops, name + "Grad")
    g = _RANDOM.normal(size=(2, 6, 3, 2))
    compare(
        lambda g: raw(grads=tf.cast(g, tf.float32), original_image=tf.constant(IMAGE)),
        g,
        gradient=False,
        rtol=1e-5,
        step=0.1,
    )


def test_gradient_of_resizing_to_the_nearest() -> None:
    g = _RANDOM.normal(size=(2, 6, 3, 2))
    compare(lambda g: tf.raw_ops.ResizeNearestNeighborGrad(grads=g, size=[4, 5]), g, gradient=False)
