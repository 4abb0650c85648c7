"""What Chidambaram et al. do not say, and what we chose: mostly what their published code does."""

from mixup_repro.papers.items import Unsaid

UNSAID = (
    Unsaid(
        "sec. 2.3 to 3.1",
        "whether lambda is drawn for an example or for a batch",
        "for a batch, as in the code",
        "not tried",
    ),
    Unsaid(
        "sec. 2.3, 2.4, 3.1",
        "whether a point may be paired with itself",
        "it may: both points are drawn from the whole set, as in the code",
        "no: J_mix has these pairs",
    ),
    Unsaid(
        "sec. 3.1, Fig. 3, 10 to 14",
        "that gradients add up over all steps, as in the code, which never sets them to zero",
        "set to zero for the papers' claims; added up as a method of its own (`mixup_accumulated`)",
        "yes: the highly nonlinear boundaries come with gradients that add up",
    ),
    Unsaid(
        "sec. 3.1",
        "that the code trains the moons for 1,000 epochs, not 1,500",
        "1,500, as printed; 1,000 with gradients that add up (`fig3_moons_code`)",
        "no, beside the gradients",
    ),
    Unsaid(
        "sec. 2.4, Fig. 2, 9",
        "augmentation, and how pixels are normalised",
        "none; mean and standard deviation of the channels, as in the code",
        "not tried",
    ),
    Unsaid(
        "sec. 2.4, Fig. 2, 9",
        "whether the training error is read in evaluation mode, on which pictures",
        "in evaluation mode, after each epoch, on all training pictures",
        "not tried",
    ),
    Unsaid(
        "Table 2",
        "how often it was drawn, and on which pixels distances are taken",
        "10 draws of 20 %, normalised pixels, as the size of the printed numbers asks",
        "yes: over ten draws a minimum spans 1.7 to 6.1 (`distances.csv`)",
    ),
    Unsaid(
        "Fig. 1, 8, Table 1",
        "steps and repetitions of Table 1, and initial weights",
        "those of the figures (5,000 steps, 10 runs); PyTorch's own",
        "not tried",
    ),
)
