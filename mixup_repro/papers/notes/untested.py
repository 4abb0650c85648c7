"""Claims of the notes that nothing here tests yet: id, sentence in our words, and where.

One that a theorem or an item takes up leaves this list. Down to `rel_tikhonov` none needs a network
that is trained, the others need runs.
"""

UNTESTED = (
    ("off_manifold", "Mixed inputs lie off the data's manifold.", "A2"),
    ("vrm_gaussian", "Gaussian vicinities are training with noisy inputs.", "A6"),
    ("vrm_linear_contrast", "Mixup's vicinities are another prior than noise.", "A6, A7"),
    ("vrm_segments", "The vicinities' support is the segments between examples.", "A6"),
    ("vrm_hull", "The vicinities' support is the whole convex hull.", "A8"),
    ("alpha_to_zero", "Small alpha recovers ERM.", "A9"),
    (
        "taylor_centre",
        "Expanded around the examples, the loss is a cross-entropy with penalties.",
        "A12",
    ),
    ("taylor_jacobian", "The Jacobian's term penalises large input gradients.", "A13"),
    ("taylor_hessian", "The Hessian's term penalises curvature.", "A13"),
    ("taylor_span", "The penalties act along directions between pairs only.", "A13, A16"),
    ("adv_certified", "Mixup is provably more robust to attacks.", "A15, B36"),
    ("path_occam", "So the simplest function wins.", "B11"),
    ("boxes_interpolate", "Boxes are mixed by their coordinates.", "B32"),
    ("rel_tikhonov", "Noise is Tikhonov's penalty for least squares.", "Carratino et al., sec. 1"),
    ("boundary_smooth", "Mixup's boundaries are smoother.", "A14, C50"),
    ("boundary_density", "Mixup's boundaries lie where data are rare.", "A14"),
    ("calibration_local", "Mixup corrects what one temperature cannot.", "A23"),
    ("circles", "On concentric circles too much mixing harms.", "B17"),
    ("manifold_flat", "Mixing hidden states makes the representation smooth.", "B21"),
    ("landscape_smooth", "Mixup's loss landscape is smoother.", "B26, C66"),
    ("bn_statistics", "Mixup lowers the variances that BatchNorm sees.", "B27"),
    ("graph_embed", "On graphs, mixing embedded neighbourhoods helps.", "B33"),
    ("vit_spread", "Mixup spreads a transformer's attention.", "B34"),
    ("vit_foreign", "CutMix draws attention to the foreign patch.", "B34"),
    ("active_pool", "Mixup does not always help uncertainty sampling.", "B40"),
    ("corruption", "Mixup is robust to natural corruption.", "C71, C77, C100"),
    ("combined", "They work with weight decay and label smoothing.", "C113"),
)
