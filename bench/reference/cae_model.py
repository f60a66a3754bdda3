"""Context Autoencoder in plain eager PyTorch, written from spec/cae.md: what the package's speed is measured against.

Parameter names are the checkpoint's (spec 1.11, naming A), so golden files load without renaming.
Shapes: B batch, N patches, Nm masked, Nv visible, D encoder width, E regressor and decoder width.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Config:
    """The resolved model options of the package that shape the work of a step, under the package's names."""

    imageSize: tuple[int, int]
    patchSize: int
    embedDim: int
    depth: int
    numHeads: int
    mlpRatio: float
    layerNormEps: float
    layerScaleInit: float
    regressorDepth: int
    decoderDepth: int
    decoderDim: int
    decoderHeads: int
    decoderLayerScaleInit: float
    target: str  # 'pixels' | 'tokens'
    vocabSize: int
    alignWeight: float
    maskCount: int
    attention: str = "sdpa"  # 'sdpa' | 'explicit'

    @property
    def grid(self) -> tuple[int, int]:
        return self.imageSize[0] // self.patchSize, self.imageSize[1] // self.patchSize

    @property
    def outputs(self) -> int:
        return self.vocabSize if self.target == "tokens" else 3 * self.patchSize**2


@dataclass
class Outputs:
    """Results of one forward pass; losses are float32 scalars, `trace` has the golden files' intermediate names."""

    loss: Tensor
    loss_main: Tensor
    loss_align: Tensor
    logits: Tensor
    trace: dict[str, Tensor]


def sincos_table(grid: tuple[int, int], dim: int) -> Tensor:
    """Fixed positions [1, 1 + N, dim], class token first and zero (spec 1.3, 'reference': the divisor is the row count)."""
    rows, cols = grid
    quarter = dim // 4
    omega = 1.0 / 10000 ** (torch.arange(quarter, dtype=torch.float32) / quarter)
    patch = torch.arange(rows * cols)
    first = (patch // rows)[:, None] * omega
    second = (patch % rows)[:, None] * omega
    table = torch.cat([first.sin(), first.cos(), second.sin(), second.cos()], dim=1)
    return torch.cat([torch.zeros(1, dim), table])[None]


def gather_tokens(x: Tensor, index: Tensor) -> Tensor:
    """x [B or 1, N, C], index [B, K] -> [B, K, C]."""
    return x.expand(index.shape[0], -1, -1).gather(1, index[:, :, None].expand(-1, -1, x.shape[2]))


def attend(q: Tensor, k: Tensor, v: Tensor, path: str) -> Tensor:
    """Heads' attention: q [B, H, Nq, Dh], k and v [B, H, Nk, Dh] -> [B, Nq, H·Dh]."""
    if path == "sdpa":
        out = F.scaled_dot_product_attention(q, k, v)
    else:
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
        out = scores.softmax(dim=-1) @ v
    return out.transpose(1, 2).flatten(2)


class Attention(nn.Module):
    """Self-attention with one fused projection; q and v have a bias, k has none (spec 1.4)."""

    def __init__(self, dim: int, heads: int, path: str) -> None:
        super().__init__()
        self.heads, self.path = heads, path
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(dim))
        self.v_bias = nn.Parameter(torch.zeros(dim))
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        qkv = F.linear(x, self.qkv.weight, bias)
        q, k, v = qkv.unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        return self.proj(attend(q, k, v, self.path))


class CrossAttention(nn.Module):
    """Attention with separate projections (spec 1.6)."""

    def __init__(self, dim: int, heads: int, path: str) -> None:
        super().__init__()
        self.heads, self.path = heads, path
        self.q = nn.Linear(dim, dim, bias=False)
        self.k = nn.Linear(dim, dim, bias=False)
        self.v = nn.Linear(dim, dim, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(dim))
        self.v_bias = nn.Parameter(torch.zeros(dim))
        self.proj = nn.Linear(dim, dim)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        def heads(x: Tensor) -> Tensor:
            return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

        q = heads(F.linear(q, self.q.weight, self.q_bias))
        k = heads(self.k(k))
        v = heads(F.linear(v, self.v.weight, self.v_bias))
        return self.proj(attend(q, k, v, self.path))


class Mlp(nn.Module):
    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    """Pre-norm block of encoder and decoder (spec 1.4)."""

    def __init__(self, dim: int, heads: int, scale: float, c: Config) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=c.layerNormEps)
        self.attn = Attention(dim, heads, c.attention)
        self.norm2 = nn.LayerNorm(dim, eps=c.layerNormEps)
        self.mlp = Mlp(dim, round(dim * c.mlpRatio))
        self.gamma_1 = nn.Parameter(torch.full((dim,), scale)) if scale else None
        self.gamma_2 = nn.Parameter(torch.full((dim,), scale)) if scale else None

    def forward(self, x: Tensor) -> Tensor:
        branch = self.attn(self.norm1(x))
        x = x + (branch if self.gamma_1 is None else self.gamma_1 * branch)
        branch = self.mlp(self.norm2(x))
        return x + (branch if self.gamma_2 is None else self.gamma_2 * branch)


class CrossBlock(nn.Module):
    """Regressor block: positions on queries and keys, and a stream that is normalised itself (spec 1.6)."""

    def __init__(self, dim: int, heads: int, scale: float, c: Config) -> None:
        super().__init__()
        self.norm1_q = nn.LayerNorm(dim, eps=c.layerNormEps)
        self.norm1_k = nn.LayerNorm(dim, eps=c.layerNormEps)
        self.norm1_v = nn.LayerNorm(dim, eps=c.layerNormEps)
        self.cross_attn = CrossAttention(dim, heads, c.attention)
        self.norm2_cross = nn.LayerNorm(dim, eps=c.layerNormEps)
        self.mlp_cross = Mlp(dim, round(dim * c.mlpRatio))
        # Without LayerScale the reference stores ones here (spec 1.4); nothing multiplies by them.
        self.scaled = scale > 0
        self.gamma_1_cross = nn.Parameter(torch.full((dim,), scale or 1.0), requires_grad=self.scaled)
        self.gamma_2_cross = nn.Parameter(torch.full((dim,), scale or 1.0), requires_grad=self.scaled)

    def forward(self, x: Tensor, visible: Tensor, masked_pos: Tensor, all_pos: Tensor) -> Tensor:
        kv = torch.cat([visible, x], dim=1)  # [B, N, E]
        a = self.cross_attn(self.norm1_q(x + masked_pos), self.norm1_k(kv + all_pos), self.norm1_v(kv))
        x = self.norm2_cross(x + (self.gamma_1_cross * a if self.scaled else a))
        branch = self.mlp_cross(x)
        return x + (self.gamma_2_cross * branch if self.scaled else branch)


class PatchEmbed(nn.Module):
    def __init__(self, c: Config) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, c.embedDim, c.patchSize, stride=c.patchSize)

    def forward(self, images: Tensor) -> Tensor:
        return self.proj(images).flatten(2).transpose(1, 2)  # [B, N, D]


class Encoder(nn.Module):
    def __init__(self, c: Config) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.empty(1, 1, c.embedDim))
        self.register_buffer("pos_embed", sincos_table(c.grid, c.embedDim), persistent=False)
        self.patch_embed = PatchEmbed(c)
        self.blocks = nn.ModuleList(Block(c.embedDim, c.numHeads, c.layerScaleInit, c) for _ in range(c.depth))
        self.norm = nn.LayerNorm(c.embedDim, eps=c.layerNormEps)

    def forward(self, patches: Tensor, index: Tensor, trace: dict[str, Tensor] | None = None) -> Tensor:
        """Embedded patches [B, N, D] -> the class token and the patches of `index` after the final norm [B, 1 + K, D]."""
        x = gather_tokens(patches + self.pos_embed[:, 1:], index)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], dim=1)
        for i, block in enumerate(self.blocks):
            x = block(x)
            if trace is not None:
                trace[f"encoder_block{i}"] = x
        return self.norm(x)


class PretextNeck(nn.Module):
    """Regressor, decoder and head."""

    def __init__(self, c: Config) -> None:
        super().__init__()
        dim, heads, scale = c.decoderDim, c.decoderHeads, c.decoderLayerScaleInit
        self.regressor_blocks = nn.ModuleList(CrossBlock(dim, heads, scale, c) for _ in range(c.regressorDepth))
        self.decoder_blocks = nn.ModuleList(Block(dim, heads, scale, c) for _ in range(c.decoderDepth))
        self.norm = nn.LayerNorm(dim, eps=c.layerNormEps)
        self.norm2 = nn.LayerNorm(dim, eps=c.layerNormEps)
        self.head = nn.Linear(dim, c.outputs)


class ContextAutoencoder(nn.Module):
    def __init__(self, c: Config) -> None:
        super().__init__()
        self.config = c
        self.mask_token = nn.Parameter(torch.empty(1, 1, c.decoderDim))
        self.encoder = Encoder(c)
        self.pretext_neck = PretextNeck(c)
        self.register_buffer("positions", sincos_table(c.grid, c.decoderDim)[:, 1:], persistent=False)
        self.encoder_to_decoder = self.encoder_to_decoder_norm = None
        if c.decoderDim != c.embedDim:
            self.encoder_to_decoder = nn.Linear(c.embedDim, c.decoderDim)
            self.encoder_to_decoder_norm = nn.LayerNorm(c.decoderDim, eps=c.layerNormEps)
        for name, p in self.named_parameters():
            if name.endswith("weight") and p.dim() == 2:
                nn.init.xavier_uniform_(p)
            elif p.dim() >= 2:
                nn.init.trunc_normal_(p, std=0.02, a=-0.02, b=0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(p)

    def project(self, x: Tensor) -> Tensor:
        """Encoder width to decoder width (spec 1.5)."""
        return x if self.encoder_to_decoder is None else self.encoder_to_decoder_norm(self.encoder_to_decoder(x))

    def forward(self, images: Tensor, mask: Tensor, ids: Tensor | None, tracing: bool = False) -> Outputs:
        """images [B, 3, H, W] float32 normalised, mask [B, N] bool (true: hidden), ids [B, N] int64 for token targets."""
        trace: dict[str, Tensor] = {}
        order = mask.to(torch.uint8).sort(dim=1, stable=True).indices  # visible ascending, then masked ascending
        visible, masked = order.tensor_split([order.shape[1] - self.config.maskCount], dim=1)

        patches = self.encoder.patch_embed(images)
        encoded = self.encoder(patches, visible, trace if tracing else None)
        projected = self.project(encoded)
        # After the online pass: autocast keeps the casts of the weights it has made, and those made under no_grad carry none.
        with torch.no_grad():
            target = self.project(self.encoder(patches, masked))[:, 1:]  # [B, Nm, E]

        masked_pos = gather_tokens(self.positions, masked)
        all_pos = gather_tokens(self.positions, order)
        neck = self.pretext_neck
        x = self.mask_token.expand(mask.shape[0], masked.shape[1], -1)
        for i, block in enumerate(neck.regressor_blocks):
            x = block(x, projected[:, 1:], masked_pos, all_pos)
            if tracing:
                trace[f"regressor_block{i}"] = x
        predicted = neck.norm(x)  # [B, Nm, E]

        x = predicted + masked_pos
        for i, block in enumerate(neck.decoder_blocks):
            x = block(x)
            if tracing:
                trace[f"decoder_block{i}"] = x
        decoded = neck.norm2(x)
        logits = neck.head(decoded).flatten(0, 1)  # [B·Nm, outputs]

        loss_main = self.pretext_loss(logits.float(), images, ids, masked)
        loss_align = self.config.alignWeight * F.mse_loss(predicted.float(), target.float())
        if tracing:
            trace |= {"patch_embed": patches, "pos_embed": self.encoder.pos_embed, "encoder_out": encoded}
            trace |= {"encoder_proj": projected, "latent_pred": predicted, "latent_target": target, "decoder_norm": decoded}
        return Outputs(loss_main + loss_align, loss_main, loss_align, logits, trace if tracing else {})

    def pretext_loss(self, logits: Tensor, images: Tensor, ids: Tensor | None, masked: Tensor) -> Tensor:
        """Cross-entropy with the tokens, or squared error of the pixels in (py, px, c) order (spec 2.1, 1.7)."""
        if ids is not None:
            return F.cross_entropy(logits, ids.gather(1, masked).flatten())
        p, (rows, cols) = self.config.patchSize, self.config.grid
        pixels = images.unflatten(3, (cols, p)).unflatten(2, (rows, p)).permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)
        return F.mse_loss(logits, gather_tokens(pixels, masked).flatten(0, 1))
