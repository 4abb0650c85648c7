"""What Carratino et al. do not say, and what we chose."""

from mixup_repro.papers.items import Unsaid

UNSAID = (
    Unsaid(
        "Fig. 1",
        "the data, the network and alpha",
        "two invented mixtures of Gaussians, an MLP 2-128-128-2, alpha 1",
        "yes: `fig1_ring` and `fig1_arch` have different verdicts",
    ),
    Unsaid(
        "Fig. 2, 3, 7",
        "alpha",
        "1, the one that appendix B.3 names for the two moons",
        "not tried",
    ),
    Unsaid(
        "Fig. 3",
        "on how many pictures the terms are taken, whether R2 is among them",
        "a fixed thousand of training pictures; R1 + R3, as training leaves R2 out",
        "not tried",
    ),
    Unsaid(
        "Fig. 4, 5, 6",
        "the values of alpha, other than as ticks of an axis",
        "0.1, 0.25, 0.5, 1, 2, 4, 8",
        "no: each alpha is a part of its own",
    ),
    Unsaid(
        "Fig. 4, 5, 6, 7, Table 2",
        "the bins of the ECE and of the histograms",
        "15 bins of equal width for the ECE (Guo et al., 2017)",
        "not tried",
    ),
    Unsaid(
        "Fig. 7, left",
        "the weight epsilon of label smoothing",
        "both 1 - theta_bar(1) = 1/4 and 0.1, one verdict each",
        "yes: whether label smoothing or Mixup is more confident",
    ),
    Unsaid(
        "Fig. 7, right; Fig. 8, 9",
        "whether approximate Mixup is evaluated plainly or by (22)",
        "plainly; for Figure 8 by (22) too",
        "yes: its test accuracy on the two moons",
    ),
    Unsaid(
        "Fig. 8, 9",
        "epochs, initial weights, whether f has one output or two",
        "500 epochs from weights of zero; one output beside a logit that is zero",
        "not tried",
    ),
    Unsaid(
        "(4)",
        "one lambda an example or one a batch, and how partners are drawn",
        "one an example, partners by a permutation of the batch",
        "hardly: a permutation of b examples pairs one with itself once in b times, (4) once in n",
    ),
    Unsaid(
        "(22), Algorithm 1",
        "whether f gives logits or probabilities",
        "logits: the text that follows calls it a scaling of logits",
        "not tried",
    ),
    Unsaid(
        "(22), Algorithm 1",
        "whether x_bar is of augmented pictures",
        "of the training pictures as they are",
        "not tried",
    ),
    Unsaid(
        "appendix B.1, B.2",
        "the augmentation, and how pixels are normalised",
        "CIFAR: crop of 4 and flip; ImageNet: random resized crop and flip; mean and standard "
        "deviation of the channels",
        "not tried; `fig4_imagenet_published` has the settings of the authors' code",
    ),
    Unsaid(
        "appendix B.1",
        "which LeNet, and which ResNet-34 for 32 pixels",
        "LeNet-5 with ReLU and max pooling; a 3 x 3 stem without pooling",
        "not tried",
    ),
    Unsaid(
        "sec. 5, Fig. 4",
        "whether the network of the last epoch is tested or the best",
        "that of the last epoch",
        "not tried",
    ),
)
