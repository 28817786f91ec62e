# ruff: noqa: F821
# mypy: ignore-errors
def load_image(path):
    """Decode, turn upright, resize and normalise an image file: (1, channels, resolution, resolution) float32."""
    with Image.open(path) as image:
        pixels = _pixels(ImageOps.exif_transpose(image))
    grey = SETTINGS["channel_order"] == "grey"
    if pixels.shape[2] == 4:  # transparency is put on white
        alpha = pixels[..., 3:].astype(np.float32) / 255
        pixels = np.rint(pixels[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    if grey and pixels.shape[2] == 3:
        pixels = np.rint(pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)).astype(np.uint8)[
            ..., None
        ]
    elif not grey and pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=-1)
    return normalise(_resize(pixels)[None])


def _pixels(image):
    if image.mode in ("I", "I;16", "I;16B", "I;16L"):
        return np.clip(np.asarray(image).astype(np.int64) // 257, 0, 255).astype(np.uint8)[..., None]
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return np.asarray(image.convert("RGBA"))
    return (
        np.asarray(image.convert("L"))[..., None] if image.mode in ("1", "L", "F") else np.asarray(image.convert("RGB"))
    )


def _resize(pixels):
    size, (height, width) = SETTINGS["resolution"], pixels.shape[:2]
    if (height, width) == (size, size):
        return pixels
    box = (0.0, 0.0, float(width), float(height))
    if SETTINGS["resize"] == "crop":
        side = min(height, width)
        left, top = (width - side) / 2, (height - side) / 2
        box = (left, top, left + side, top + side)
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    resized = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR, box=box))
    return resized[..., None] if pixels.shape[2] == 1 else resized


def normalise(pixels):
    """(N, H, W, C) uint8 of the right size to (N, C, H, W) float32."""
    std = np.asarray(SETTINGS["std"])
    factor = (SETTINGS["scale"] / std).astype(np.float32)
    offset = (-np.asarray(SETTINGS["mean"]) / std).astype(np.float32)
    return np.ascontiguousarray((pixels * factor + offset).transpose(0, 3, 1, 2))


def image_files(folder):
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)


def classify(predict, path, top):
    logits = predict(load_image(path))[0]
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    best = np.argsort(-logits, kind="stable")[:top]
    return [(LABELS[index], float(shares[index])) for index in best]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, help="image files, or a folder of class folders to judge")
    parser.add_argument("--model", type=Path, default=Path(__file__).resolve().parent / MODEL)
    parser.add_argument("--top", type=int, default=3, help="classes to print for each image")
    arguments = parser.parse_args()
    predict = open_model(arguments.model)
    for path in arguments.paths:
        if path.is_dir():
            judge(predict, path)
        elif path.is_file():
            print(path, *(f"{label} {share:.4f}" for label, share in classify(predict, path, arguments.top)), sep="\t")
        else:
            parser.error(f"there is no {path}")


def judge(predict, folder):
    files = [path for path in image_files(folder) if path.parent.name in LABELS]
    if not files:
        raise SystemExit(f"{folder} holds no images in folders named after the classes: {', '.join(LABELS)}")
    right = sum(classify(predict, path, 1)[0][0] == path.parent.name for path in files)
    print(f"{folder}\t{right} of {len(files)} right\taccuracy {right / len(files):.6f}")


if __name__ == "__main__":
    main()
