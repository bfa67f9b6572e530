"""The classifier as a PyTorch user writes it: ``nn.RNN`` / ``nn.LSTM`` / ``nn.GRU``, fused Adam."""

import os
from typing import Any

import numpy as np

from rnnsent import data
from rnnsent.model import ModelConfig
from rnnsent.peers.case import Case


class TorchRNN:
    """See :class:`rnnsent.peers.Subject`."""

    def __init__(
        self,
        case: Case,
        params: Any,
        ids_NT: np.ndarray,
        label_N: np.ndarray,
        *,
        compiled: bool = False,
    ):
        import torch

        torch.set_num_threads(len(os.sched_getaffinity(0)))
        torch.manual_seed(0)
        self.case, self.at = case, 0
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.modules = modules(case.config, params).to(self.device)
        self.optimizer = torch.optim.Adam(self.modules.parameters(), lr=1e-3, eps=1e-7, fused=True)
        self.batches = [
            (*self._inputs(ids_NT[i : i + case.batch]), self._label(label_N[i : i + case.batch]))
            for i in range(0, len(label_N), case.batch)
        ]
        self.forward = torch.compile(logits) if compiled else logits
        self.setting = f"{torch.get_num_threads()} threads, fused Adam" + (
            ", torch.compile of the forward pass" if compiled else ""
        )

    def _inputs(self, ids_BT: np.ndarray):
        """Ids (T, B), time first as its layers like it, and the rows' lengths or None."""
        import torch

        if not self.case.masked:
            return torch.from_numpy(np.ascontiguousarray(ids_BT.T)).to(self.device), None
        length_B = torch.from_numpy(data.lengths(ids_BT).astype(np.int64)).to(self.device)
        packed_TB = np.ascontiguousarray(data.pack_rows(ids_BT).T)
        return torch.from_numpy(packed_TB).to(self.device), length_B

    def _label(self, label_B: np.ndarray):
        import torch

        return torch.from_numpy(label_B.astype(np.float32)).to(self.device)

    def _next(self):
        self.at += 1
        return self.batches[self.at % len(self.batches)]

    def _loss(self, ids_TB, length_B, label_B, train: bool):
        import torch

        logits_B = self.forward(self.modules, self.case.config, ids_TB, length_B, train)
        return torch.nn.functional.binary_cross_entropy_with_logits(logits_B, label_B), logits_B

    def reference(self, ids_BT, label_B):
        ids_TB, length_B = self._inputs(ids_BT)
        self.optimizer.zero_grad()
        loss, logits_B = self._loss(ids_TB, length_B, self._label(label_B), train=False)
        loss.backward()
        grads = from_torch(self.case.config, self.modules)
        self.optimizer.zero_grad()
        return logits_B.detach().cpu().numpy(), grads

    def train(self, steps: int) -> None:
        import torch

        for _ in range(steps):
            self.optimizer.zero_grad()
            loss, _ = self._loss(*self._next(), train=True)
            loss.backward()
            self.optimizer.step()
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def infer(self, steps: int) -> None:
        import torch

        with torch.inference_mode():
            for _ in range(steps):
                ids_TB, length_B, _ = self._next()
                self.forward(self.modules, self.case.config, ids_TB, length_B, False).cpu().numpy()


_LAYERS = {"simple_rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}


def modules(config: ModelConfig, params: Any):
    """rnnsent's parameters as a ``ModuleDict``; its layers have two biases, the second starts at 0.

    The GRU's second bias is zero but for the part that the reset gate scales.
    """
    import torch

    layer, sizes = (
        getattr(torch.nn, _LAYERS[config.cell]),
        (config.embedding_size, *config.features),
    )
    out = {"embedding": torch.nn.Embedding(config.vocab_size, config.embedding_size)}
    for i, features in enumerate(config.features):
        out[f"layer_{i}"] = layer(sizes[i], features)
    out["hidden"] = torch.nn.Linear(config.features[-1], config.head)
    out["logit"] = torch.nn.Linear(config.head, 1)
    out = torch.nn.ModuleDict(out)
    with torch.no_grad():
        for name, module in out.items():
            for key, value in _to_torch(params[name]).items():
                getattr(module, key).copy_(torch.from_numpy(np.array(value, np.float32)))
    return out


def _to_torch(layer: Any) -> dict[str, np.ndarray]:
    layer = {name: np.asarray(a) for name, a in layer.items()}
    if "embedding" in layer:
        return {"weight": layer["embedding"]}
    if "recurrent_kernel" not in layer:
        return {"weight": layer["kernel"].T, "bias": layer["bias"]}
    second = np.zeros_like(layer["bias"])
    if "new_bias" in layer:
        second[-len(layer["new_bias"]) :] = layer["new_bias"]
    return {
        "weight_ih_l0": layer["kernel"].T,
        "weight_hh_l0": layer["recurrent_kernel"].T,
        "bias_ih_l0": layer["bias"],
        "bias_hh_l0": second,
    }


def from_torch(config: ModelConfig, modules) -> dict:
    """The gradients that ``modules`` hold, in rnnsent's layout."""
    out = {"embedding": {"embedding": modules["embedding"].weight.grad.cpu().numpy()}}
    for i in range(len(config.features)):
        layer = modules[f"layer_{i}"]
        out[f"layer_{i}"] = {
            "kernel": layer.weight_ih_l0.grad.cpu().numpy().T,
            "recurrent_kernel": layer.weight_hh_l0.grad.cpu().numpy().T,
            "bias": layer.bias_ih_l0.grad.cpu().numpy(),
        }
        if config.cell == "gru":
            new_bias = layer.bias_hh_l0.grad.cpu().numpy()[-config.features[i] :]
            out[f"layer_{i}"]["new_bias"] = new_bias
    for name in ("hidden", "logit"):
        weight, bias = (
            modules[name].weight.grad.cpu().numpy().T,
            modules[name].bias.grad.cpu().numpy(),
        )
        out[name] = {"kernel": weight, "bias": bias}
    return out


def logits(modules, config: ModelConfig, ids_TB, length_B, train: bool):
    """Logits (B,); inputs are dropped once per sequence, as the notebook's layers do it.

    Rows are right-padded, so what follows a row's last real step changes nothing before it: reading
    that step's output masks exactly, where packed sequences train several times as slowly on a CPU.
    """
    import torch

    x_TBE = modules["embedding"](ids_TB)
    for i in range(len(config.features)):
        if train:
            ones_1BE = torch.ones_like(x_TBE[:1])
            x_TBE = x_TBE * torch.nn.functional.dropout(ones_1BE, config.dropout)
        x_TBE, _ = modules[f"layer_{i}"](x_TBE)
    h_BH = _last(x_TBE, length_B)
    return modules["logit"](torch.relu(modules["hidden"](h_BH)))[:, 0]


def _last(y_TBH, length_B):
    """Each row's output at its last real step; with no lengths, at the last step."""
    import torch

    if length_B is None:
        return y_TBH[-1]
    return y_TBH[length_B - 1, torch.arange(len(length_B), device=y_TBH.device)]
