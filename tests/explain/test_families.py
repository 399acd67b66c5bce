"""One small member of each of many timm families, random weights: a map of the image's size, the right way round."""

import numpy as np
import pytest
import torch
from torch import nn

from bench.benchmarks import Batch
from bench.benchmarks.cam_audit import CamAudit
from bench.explain import attribute
from bench.explain.features import last_feature_layer, spatial_features

SIDE = 128

ANY_SIZE = [
    "cpubone_nano",
    "cs3darknet_focus_s",
    "csatv2",
    "cspnext_tiny",
    "densenet121",
    "dla46x_c",
    "dpn48b",
    "edgenext_xx_small",
    "efficientvim_m1",
    "efficientvit_b0",
    "ese_vovnet19b_slim_dw",
    "fasternet_t0",
    "fastvit_t8",
    "ghostnet_050",
    "hgnetv2_b0",
    "hrnet_w18_small",
    "iformer_t",
    "inception_next_atto",
    "lcnetv2_small",
    "legacy_seresnet18",
    "mobilenetv3_small_050",
    "poolformerv2_s12",
    "pvt_v2_b0",
    "regnetx_002",
    "resnest14d",
    "resnetv2_18",
    "rexnet_100",
    "shvit_s1",
    "skresnet18",
    "starnet_s050",
    "test_convnext",
    "test_efficientnet",
    "test_mambaout",
    "test_nfnet",
    "test_resnet",
]
BUILT_FOR_A_SIZE = [
    "convit_tiny",
    "deit_tiny_patch16_224",
    "efficientvit_m0",
    "gcvit_xxtiny",
    "gmlp_ti16_224",
    "levit_128s",
    "mixer_s32_224",
    "mobilevit_xxs",
    "pit_ti_224",
    "repvit_m1",
    "sequencer2d_s",
    "swiftformer_xs",
    "swin_tiny_patch4_window7_224",
    "test_byobnet",
    "test_coatnet",
    "test_vit",
    "test_vit_relpos",
    "tnt_s_legacy_patch16_224",
    "visformer_tiny",
    "vit_tiny_patch16_dinov3_qkvb",
    "vit_tiny_r_s16_p8_224",
    "xcit_nano_12_p8_224",
]


def test_there_are_at_least_forty_families():
    assert len(ANY_SIZE) + len(BUILT_FOR_A_SIZE) >= 40


@pytest.mark.parametrize("architecture", ANY_SIZE + BUILT_FOR_A_SIZE)
def test_grad_cam_and_saliency_of_a_family(make_classifier, images, architecture):
    options = {"img_size": SIDE} if architecture in BUILT_FOR_A_SIZE else {}
    classifier = with_a_head(make_classifier(architecture, SIDE, **options))
    picture, target = images(1, SIDE), torch.tensor([1])
    for method in ("grad_cam", "saliency"):
        maps = attribute(classifier, picture, target, method)
        assert maps.shape == (1, SIDE, SIDE)
        assert maps.isfinite().all()
        assert (maps >= 0).all()
    assert spatial_features(classifier, picture, target).gradients.any()
    assert_audited(classifier, picture)
    # NCHW cannot be misread, and a deep random convolution mixes its neighbours; so does LeViT, whose stages are joined
    # by attention without a residual.
    if last_feature_layer(classifier, picture).layout.kind != "NCHW" and architecture != "levit_128s":
        assert strongest_change(classifier, picture) == (0, 1)


def assert_audited(classifier, picture):
    """The bias audit of the right half has figures, unless nothing in the map speaks for the predicted class."""
    objects = torch.zeros(1, SIDE, SIDE, dtype=torch.bool)
    objects[:, :, SIDE // 2 :] = True
    shown = (picture * 255).to(torch.uint8)
    batch = Batch(shown, torch.tensor([1]), np.array(["image"]), side={"objects": objects})
    audit = CamAudit(regions="samples")  # of which only their presence matters once an image is read
    figures = audit.run(classifier, batch, audit.conditions()[0], seed=0).extra
    assert figures["region_share"][0] == 0.5
    measured = [figures[name][0] for name in ("attribution_in_box", "pointing_hit", "entropy", "centre_distance")]
    assert np.isnan(measured).all() or ((np.array(measured) >= 0) & (np.array(measured) <= 1)).all()


def with_a_head(classifier):
    """Heads that start at zero have no gradient to show."""
    torch.manual_seed(0)
    for module in classifier.modules():
        if isinstance(module, nn.Linear) and not module.weight.any():
            nn.init.normal_(module.weight, std=0.02)
    return classifier


def strongest_change(classifier, picture):
    """The quadrant (row, column) of the feature map that changes most when the upper right of the image does."""
    changed = picture.clone()
    changed[:, :, : SIDE // 2, SIDE // 2 :] = 0
    before, after = (spatial_features(classifier, x, torch.tensor([0])).activations for x in (picture, changed))
    change = nn.functional.adaptive_avg_pool2d((after - before).abs().sum(1), 2)[0]
    return divmod(int(change.argmax()), 2)
