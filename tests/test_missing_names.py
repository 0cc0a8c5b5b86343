"""Names that are not there: an AttributeError with the nearest name, from every module and from tensors."""

import pickle

import pytest
from optools import wengert


@pytest.mark.parametrize(
    ("owner", "name", "nearest"),
    [
        ("", "Tensr", "Tensor"),
        ("", "arrange", "arange"),
        ("nn", "Lineer", "Linear"),
        ("nn.functional", "rellu", "relu"),
        ("nn.init", "xavier_unform_", "xavier_uniform_"),
        ("nn.utils", "clip_grad_nrm_", "clip_grad_norm_"),
        ("optim", "Adamm", "Adam"),
        ("optim.lr_scheduler", "StepLr", "StepLR"),
        ("utils.data", "Dataloader", "DataLoader"),
        ("func", "vmapp", "vmap"),
        ("linalg", "solv", "solve"),
        ("autograd", "Functions", "Function"),
        ("cuda", "is_availabe", "is_available"),
    ],
)
def test_modules_suggest_the_nearest_name(owner, name, nearest):
    module = wengert
    for part in filter(None, owner.split(".")):
        module = getattr(module, part)
    assert not hasattr(module, name)
    with pytest.raises(AttributeError, match=f"Did you mean {nearest!r}") as info:
        getattr(module, name)
    again = pickle.loads(pickle.dumps(info.value))
    assert str(again) == str(info.value) and again.name == name


def test_tensors_suggest_the_nearest_name():
    x = wengert.ones(2)
    with pytest.raises(AttributeError, match="Did you mean 'mm'"):
        x.smm()
    assert not hasattr(x, "to_mkldnn") and not hasattr(wengert.Tensor, "to_mkldnn")
    assert "to_mkldnn" not in dir(x) and "relu" in dir(x)


def test_instances_may_have_attributes_of_such_names():
    class Mine(wengert.Tensor):
        values = 3

    x = wengert.ones(2)
    x.reinforce = 5
    assert x.reinforce == 5 and "reinforce" in dir(x)
    assert wengert.ones(1).as_subclass(Mine).values == 3
