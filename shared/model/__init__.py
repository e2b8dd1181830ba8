"""The models as torch modules: frozen transform, trees, network, reasons, saved form."""
