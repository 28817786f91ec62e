"""One module per form in which images may come; each ends with its row of `edgenas.data.registry`."""
