"""The classifier as a PyTorch user writes it: ``nn.RNN`` / ``nn.LSTM`` / ``nn.GRU``, fused Adam."""

import os
from typing import Any

import numpy as np

from rnnsent import data, interop
from rnnsent.benchmark.case import Case
from rnnsent.model import SentimentClassifier


class TorchRNN:
    """See :class:`rnnsent.benchmark.Subject`."""

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
        self.modules = modules(case.model, params).to(self.device)
        self.optimizer = torch.optim.Adam(self.modules.parameters(), lr=1e-3, eps=1e-7, fused=True)
        self.batches = [
            (*self._inputs(ids_NT[i : i + case.batch]), self._label(label_N[i : i + case.batch]))
            for i in range(0, len(label_N), case.batch)
        ]
        self.forward = torch.compile(logits) if compiled else logits
        self.setting = f"{torch.get_num_threads()} threads, fused Adam" + (
            ", torch.compile of the forward pass" if compiled else ""
        )

    def _inputs(self, ids_BT: np.ndarray) -> tuple[Any, Any]:
        """Ids (T, B), time first as its layers like it, and the rows' lengths or None."""
        import torch

        if not self.case.masked:
            return torch.from_numpy(np.ascontiguousarray(ids_BT.T)).to(self.device), None
        length_B = torch.from_numpy(data.lengths(ids_BT).astype(np.int64)).to(self.device)
        packed_TB = np.ascontiguousarray(data.pack_rows(ids_BT).T)
        return torch.from_numpy(packed_TB).to(self.device), length_B

    def _label(self, label_B: np.ndarray) -> Any:
        import torch

        return torch.from_numpy(label_B.astype(np.float32)).to(self.device)

    def _next(self) -> tuple[Any, Any, Any]:
        self.at += 1
        return self.batches[self.at % len(self.batches)]

    def _logits(self, ids_TB: Any, length_B: Any, dropout: float) -> Any:
        return self.forward(self.modules, len(self.case.model.features), ids_TB, length_B, dropout)

    def _loss(self, ids_TB: Any, length_B: Any, label_B: Any, train: bool) -> tuple[Any, Any]:
        import torch

        logits_B = self._logits(ids_TB, length_B, self.case.model.dropout if train else 0.0)
        return torch.nn.functional.binary_cross_entropy_with_logits(logits_B, label_B), logits_B

    def reference(self, ids_BT: np.ndarray, label_B: np.ndarray) -> tuple[np.ndarray, dict]:
        ids_TB, length_B = self._inputs(ids_BT)
        self.optimizer.zero_grad()
        loss, logits_B = self._loss(ids_TB, length_B, self._label(label_B), train=False)
        loss.backward()
        grads = gradients_of(self.modules)
        self.optimizer.zero_grad()
        return logits_B.detach().cpu().numpy(), grads

    def train(self, steps: int) -> None:
        import torch

        for _ in range(steps):
            self.optimizer.zero_grad()
            ids_TB, length_B, label_B = self._next()
            loss, _ = self._loss(ids_TB, length_B, label_B, train=True)
            loss.backward()
            self.optimizer.step()
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def infer(self, steps: int) -> None:
        import torch

        with torch.inference_mode():
            for _ in range(steps):
                ids_TB, length_B, _ = self._next()
                self._logits(ids_TB, length_B, 0.0).cpu().numpy()


def modules(model: SentimentClassifier, params: Any) -> Any:
    """rnnsent's parameters as a ``ModuleDict``; its layers have two biases, the second starts at 0.

    The GRU's second bias is zero but for the part that the reset gate scales.
    """
    import torch

    layer = getattr(torch.nn, interop.LAYOUTS[model.cell].torch)
    sizes = (model.embedding_size, *model.features)
    out = {"embedding": torch.nn.Embedding(model.vocab_size, model.embedding_size)}
    for i, features in enumerate(model.features):
        out[f"layer_{i}"] = layer(sizes[i], features)
    out["hidden"] = torch.nn.Linear(model.features[-1], model.head)
    out["logit"] = torch.nn.Linear(model.head, 1)
    found = torch.nn.ModuleDict(out)
    own = interop.to_torch(params)
    found.load_state_dict({key: torch.from_numpy(np.array(a)) for key, a in own.items()})
    return found


def gradients_of(modules: Any) -> dict:
    """The gradients that ``modules`` hold, in rnnsent's layout."""
    grads = {name: weight.grad.cpu().numpy() for name, weight in modules.named_parameters()}
    return interop.from_torch(grads, gradients=True)


def logits(modules: Any, layers: int, ids_TB: Any, length_B: Any, dropout: float) -> Any:
    """Logits (B,); inputs are dropped once per sequence, as the notebook's layers do it.

    Rows are right-padded, so what follows a row's last real step changes nothing before it: reading
    that step's output masks exactly, where packed sequences train several times as slowly on a CPU.
    """
    import torch

    x_TBE = modules["embedding"](ids_TB)
    for i in range(layers):
        if dropout:
            ones_1BE = torch.ones_like(x_TBE[:1])
            x_TBE = x_TBE * torch.nn.functional.dropout(ones_1BE, dropout)
        x_TBE, _ = modules[f"layer_{i}"](x_TBE)
    h_BH = _last(x_TBE, length_B)
    return modules["logit"](torch.relu(modules["hidden"](h_BH)))[:, 0]


def _last(y_TBH: Any, length_B: Any) -> Any:
    """Each row's output at its last real step; with no lengths, at the last step."""
    import torch

    if length_B is None:
        return y_TBH[-1]
    return y_TBH[length_B - 1, torch.arange(len(length_B), device=y_TBH.device)]
