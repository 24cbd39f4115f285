"""Claim: a train step is >= 1.05x faster in fp32 than the same model of lightly's and timm's modules,
>= 1.35x (ViT-T 32/4) and >= 1.6x (ViT-S 96/8) in bf16, at >= 70 % of the fp32 matmul peak.

Rival: lightly's IJEPAPredictorTIMM and MaskedVisionTransformerTIMM (timm's blocks, SDPA), AdamW, and
lightly's update_momentum, in fp32. Same weights, images, masks and loss (printed). Both sides take the
forward and backward pass, the clipping, the optimizer step and the EMA; one thread, CPU seconds, the
least of interleaved repeats. Run:

    pip install -c constraints.txt lightly timm && python benchmarks/train_step.py
"""

import copy

import common
import numpy as np
import torch
import torch.nn.functional as F

from jepa_steps.config.predictor import sized
from jepa_steps.engine.flops import count
from jepa_steps.engine.gradients import backward
from jepa_steps.engine.optimizer import update_ema
from jepa_steps.engine.precision import Precision
from jepa_steps.model.torchvision_import import import_torchvision

import_torchvision()  # timm and lightly import torchvision, which needs help beside a CPU-only torch
from lightly.models.modules import IJEPAPredictorTIMM, MaskedVisionTransformerTIMM  # noqa: E402
from lightly.models.utils import update_momentum  # noqa: E402
from timm.models.vision_transformer import VisionTransformer  # noqa: E402

REPEATS = 7


class Rival:
    """The same model and step of lightly's and timm's parts, with our weights."""

    def __init__(self, jepa, side: int, model: dict, settings):
        predictor = sized(settings.predictor, settings.model)
        grid, width = jepa.encoder.grid, predictor.dim
        vit = VisionTransformer(
            side, model["patch_size"], embed_dim=model["dim"], depth=model["depth"],
            num_heads=model["heads"], class_token=False, global_pool="", num_classes=0,
        )  # fmt: skip
        self.encoder = MaskedVisionTransformerTIMM(vit)
        self.predictor = IJEPAPredictorTIMM(
            grid[0] * grid[1], predictor.depth, model["dim"], width, predictor.heads
        )
        with torch.no_grad():
            p, d = model["patch_size"], model["dim"]
            ours = jepa.encoder.tokenizer.embed  # rows, columns, channels -> channels, rows, columns
            vit.patch_embed.proj.weight.copy_(ours.weight.view(d, p, p, 3).permute(0, 3, 1, 2))
            vit.patch_embed.proj.bias.copy_(ours.bias)
            vit.pos_embed.copy_(jepa.encoder.positions[None])
            _copy_blocks(jepa.encoder.transformer, vit.blocks, vit.norm)
            decoder = self.predictor.decoder
            decoder.pos_embed.copy_(jepa.predictor.positions[None])
            decoder.mask_token.copy_(jepa.predictor.mask_token)
            _copy_blocks(jepa.predictor.transformer, decoder.blocks, decoder.norm)
            self.predictor.predictor_embed.load_state_dict(jepa.predictor.enter.state_dict())
            self.predictor.predictor_proj.load_state_dict(jepa.predictor.leave.state_dict())
        vit.pos_embed.requires_grad_(False)
        decoder.pos_embed.requires_grad_(False)
        self.target = copy.deepcopy(self.encoder).requires_grad_(False)
        self.parameters = [
            p for m in (self.encoder, self.predictor) for p in m.parameters() if p.requires_grad
        ]
        s = settings.optimizer
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=s.lr, betas=s.betas, weight_decay=s.weight_decay
        )

    def loss(self, x, context, targets):
        blocks = list(targets.unbind(1))
        prediction = self.predictor(self.encoder.encode(x, idx_keep=context), context, blocks)
        with torch.no_grad():
            full = self.target.encode(x)
            full = F.layer_norm(full, full.shape[-1:])
            wanted = torch.cat(
                [torch.gather(full, 1, b.unsqueeze(-1).repeat(1, 1, full.shape[-1])) for b in blocks]
            )
        return F.smooth_l1_loss(prediction, wanted)

    def step(self, batch):
        self.optimizer.zero_grad()
        loss = self.loss(*batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        update_momentum(self.encoder, self.target, 0.996)
        return loss.detach()


def _copy_blocks(ours, blocks, norm) -> None:
    for a, b in zip(ours.blocks, blocks, strict=True):
        for mine, theirs in (
            (a.norm1, b.norm1), (a.attention.qkv, b.attn.qkv), (a.attention.proj, b.attn.proj),
            (a.norm2, b.norm2), (a.mlp[0], b.mlp.fc1), (a.mlp[2], b.mlp.fc2),
        ):  # fmt: skip
            theirs.load_state_dict(mine.state_dict())
    norm.load_state_dict(ours.norm.state_dict())


def step(trainer, batch, precision):
    """Our step without the loop around it."""
    for optimizer in trainer.optimizers:
        optimizer.zero_grad(set_to_none=True)
    loss, _ = backward(trainer.model, trainer.jepa, batch, 0, 1, precision)
    torch.nn.utils.clip_grad_norm_(trainer.parameters, 1.0)
    for optimizer in trainer.optimizers:
        optimizer.step()
    update_ema(trainer.jepa.target_encoder, trainer.jepa.encoder, 0.996)
    return loss


def main() -> None:
    common.header(__doc__.split("\n\n")[0])
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    for name, (side, size, model) in common.MODELS.items():
        ours = common.trainer(side, size, model)
        batch = ours.batch(0, 0)
        rival = Rival(ours.jepa, side, model, ours.settings)
        jepa = ours.jepa
        losses = jepa.loss(jepa(*batch))[0].item(), rival.loss(*batch).item()
        operations, _ = count(jepa, lambda jepa=jepa, batch=batch: jepa.loss(jepa(*batch))[0])
        formats = {
            kind: Precision(ours.settings.model_copy(update={"precision": kind}), torch.device("cpu"))
            for kind in ("fp32", "bf16")
        }
        calls = {
            "rival": lambda rival=rival, batch=batch: rival.step(batch),
            **{
                kind: lambda ours=ours, batch=batch, precision=precision: step(ours, batch, precision)
                for kind, precision in formats.items()
            },
            "matmul": lambda: a @ b,
        }
        seconds = common.interleaved(calls, REPEATS)
        peak = 2 * 1024**3 / seconds["matmul"]
        tokens = f"context {batch[1].shape[1]}, targets {tuple(batch[2].shape[1:])}"
        print(f"{name}: {tokens}; {operations / 1e9:.1f} GFLOP a step")
        print(f"  loss ours {losses[0]:.6f}, rival {losses[1]:.6f}")
        for kind in ("rival", "fp32", "bf16"):
            print(f"  {kind:6} {1000 * seconds[kind]:8.1f} ms, {seconds['rival'] / seconds[kind]:.2f}x, "
                  f"{operations / seconds[kind] / peak:.0%} of {peak / 1e9:.0f} GFLOP/s")  # fmt: skip
        assert np.isclose(*losses, rtol=1e-5), "not the same model"


if __name__ == "__main__":
    main()
