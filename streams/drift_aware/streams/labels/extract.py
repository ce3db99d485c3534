"""Make ``toxicity.npz`` anew from an installed alt-profanity-check.

python -m drift_aware.streams.labels.extract

It needs that package, and with it scikit-learn; what reads the file needs neither. Give
``labels.VERSION`` a new name afterwards: baselines counted with other weights are not comparable.
"""

from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("toxicity.npz")


def extract(file: Path = FILE) -> None:
    """Write the vocabulary, the document frequencies, and the five classifiers with their sigmoids."""
    from profanity_check.profanity_check import model, vectorizer

    parts = model.calibrated_classifiers_
    sigmoids = [part.calibrators[0] for part in parts]
    arrays = {
        "idf": vectorizer.idf_,
        "weights": [part.estimator.coef_[0] for part in parts],
        "intercepts": [part.estimator.intercept_[0] for part in parts],
        "a": [sigmoid.a_ for sigmoid in sigmoids],
        "b": [sigmoid.b_ for sigmoid in sigmoids],
    }
    words = "\n".join(vectorizer.get_feature_names_out()).encode()
    np.savez_compressed(
        file,
        words=np.frombuffer(words, np.uint8),
        **{name: np.asarray(values, np.float32) for name, values in arrays.items()},  # type: ignore[arg-type]
    )


if __name__ == "__main__":
    extract()
