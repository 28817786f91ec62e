# ruff: noqa: F821
# mypy: ignore-errors
def load_image(path: Path) -> np.ndarray:
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


def _pixels(image: Image.Image) -> np.ndarray:
    if image.mode in ("I", "I;16", "I;16B", "I;16L"):
        return np.clip(np.asarray(image).astype(np.int64) // 257, 0, 255).astype(np.uint8)[..., None]
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return np.asarray(image.convert("RGBA"))
    return (
        np.asarray(image.convert("L"))[..., None] if image.mode in ("1", "L", "F") else np.asarray(image.convert("RGB"))
    )


def _resize(pixels: np.ndarray) -> np.ndarray:
    size, (height, width) = SETTINGS["resolution"], pixels.shape[:2]
    if (height, width) == (size, size):
        return pixels
    share = SETTINGS.get("crop", 1.0)
    wide, high = share * width, share * height
    if SETTINGS["resize"] == "crop":
        wide = high = share * min(height, width)
    left, top = (width - wide) / 2, (height - high) / 2
    box = (left, top, left + wide, top + high)
    filters = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    resized = np.asarray(image.resize((size, size), filters[SETTINGS.get("interpolation", "bilinear")], box=box))
    return resized[..., None] if pixels.shape[2] == 1 else resized


def normalise(pixels: np.ndarray) -> np.ndarray:
    """Normalise images of the right size: (N, H, W, C) uint8 to (N, C, H, W) float32."""
    std = np.asarray(SETTINGS["std"])
    factor = (SETTINGS["scale"] / std).astype(np.float32)
    offset = (-np.asarray(SETTINGS["mean"]) / std).astype(np.float32)
    return np.ascontiguousarray((pixels * factor + offset).transpose(0, 3, 1, 2))


def image_files(folder: Path) -> List[Tuple[Path, str]]:
    """Find images below a folder. The class of each is the nearest folder above it. Hidden files are left out."""
    Image.init()
    kinds = set(Image.OPEN) - set(NOT_TAKEN)
    endings = {ending for ending, kind in Image.registered_extensions().items() if kind in kinds}
    found = []
    for parent, folders, files in os.walk(folder, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = [folder.name, *Path(parent).relative_to(folder).parts]
        label = next((name for name in reversed(inside) if name in LABELS), None)
        for name in sorted(files):
            path = Path(parent) / name
            if label is not None and path.suffix.lower() in endings and not name.startswith("."):
                found.append((path, label))
    return found


def complain(path: Path, error: Exception) -> None:
    """Name an image that cannot be read, with the reason, on one line of the error output."""
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    print(f"cannot read {str(path)!r}: {reason}", file=sys.stderr)


def classify(predict: Predict, path: Path, top: int) -> List[Tuple[str, float]]:
    """Return the likeliest `top` classes of one image with their softmax shares, the likeliest first."""
    logits = predict(load_image(path))[0]
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    best = np.argsort(-logits, kind="stable")[:top]
    return [(LABELS[index], float(shares[index])) for index in best]


def main() -> None:
    """Classify the images that the command line names, or judge a folder of class folders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, help="image files, or a folder of class folders to judge")
    parser.add_argument("--model", type=Path, default=Path(__file__).resolve().parent / MODEL)
    parser.add_argument("--top", type=int, default=3, help="classes to print for each image")
    arguments = parser.parse_args()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # file names that are no text
    if not arguments.model.is_file():
        parser.error(f"there is no {arguments.model}")
    predict, failed = open_model(arguments.model), False
    for path in arguments.paths:
        if path.is_dir():
            judge(predict, path)
        elif path.is_file():
            failed |= not show(predict, path, arguments.top)
        else:
            parser.error(f"there is no {path}")
    raise SystemExit(1 if failed else 0)


def show(predict: Predict, path: Path, top: int) -> bool:
    """Print the classes of one image; return whether it could be read."""
    try:
        best = classify(predict, path, top)
    except Exception as error:  # pillow raises whatever a damaged file brings about
        complain(path, error)
        return False
    print(path, *(f"{label} {share:.4f}" for label, share in best), sep="\t")
    return True


def judge(predict: Predict, folder: Path) -> None:
    """Print the accuracy on a folder of class folders; images that cannot be read are named and left out."""
    files = image_files(folder)
    if not files:
        raise SystemExit(f"{folder} holds no images in folders named after the classes: {', '.join(LABELS)}")
    right = judged = 0
    for path, label in files:
        try:
            right += classify(predict, path, 1)[0][0] == label
            judged += 1
        except Exception as error:  # pillow raises whatever a damaged file brings about
            complain(path, error)
    if not judged:
        raise SystemExit(f"none of the {len(files)} images of {folder} can be read")
    left_out = f"\t{len(files) - judged} left out" if judged < len(files) else ""
    print(f"{folder}\t{right} of {judged} right{left_out}\taccuracy {right / judged:.6f}")


if __name__ == "__main__":
    main()
