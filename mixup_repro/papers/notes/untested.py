"""Claims of the notes that nothing here tests yet: id, sentence in our words, and where.

They need trained networks. One that an item takes up leaves this list.
"""

UNTESTED = (
    ("boundary_smooth", "Mixup's boundaries are smoother.", "A14, C50"),
    ("boundary_density", "Mixup's boundaries lie where data are rare.", "A14"),
    ("calibration_local", "Mixup corrects what one temperature cannot.", "A23"),
    ("circles", "On concentric circles too much mixing harms.", "B17"),
    ("manifold_flat", "Mixing hidden states makes the representation smooth.", "B21"),
    ("landscape_smooth", "Mixup's loss landscape is smoother.", "B26, C66"),
    ("active_pool", "Mixup does not always help uncertainty sampling.", "B40"),
)
