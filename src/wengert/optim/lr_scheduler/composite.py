"""Schedules made of other schedules."""

import bisect

from wengert.optim.lr_scheduler.base import LRScheduler, group_values, set_lr
from wengert.optim.lr_scheduler.plateau import ReduceLROnPlateau


def _check_members(name, schedulers, optimizer):
    for i, scheduler in enumerate(schedulers):
        if not hasattr(scheduler, "optimizer"):
            raise TypeError(f"{name} at index {i} should have `optimizer` as its attribute.")
        if isinstance(scheduler, ReduceLROnPlateau):
            raise ValueError(
                f"{name} does not support `ReduceLROnPlateau`, whose `step` needs a metric, but got one "
                f"at index {i}."
            )
        if scheduler.optimizer is not optimizer:
            raise ValueError(
                f"{name} expects all schedulers to belong to the same optimizer, but the one at index {i} "
                f"({type(scheduler).__name__}) has another."
            )


class _CompositeLR(LRScheduler):
    """State of a schedule that holds others: its own attributes and theirs."""

    def state_dict(self):
        """Return the attributes, with the state of every member under ``_schedulers``."""
        state = super().state_dict()
        state["_schedulers"] = [member.state_dict() for member in self._schedulers]
        return state

    def load_state_dict(self, state_dict):
        """Take over the attributes and the state of every member."""
        state = dict(state_dict)
        saved = state.pop("_schedulers")
        self.__dict__.update(state)
        for member, member_state in zip(self._schedulers, saved, strict=True):
            member.load_state_dict(member_state)


class SequentialLR(_CompositeLR):
    """Schedules one after another; ``milestones`` are the steps at which the next one begins.

    Raises:
        ValueError: no schedules, a wrong number of milestones, or schedules of different optimizers.
    """

    def __init__(self, optimizer, schedulers, milestones, last_epoch=-1):
        name = type(self).__name__
        if len(schedulers) < 1:
            raise ValueError(f"{name} expects at least one scheduler, but got no scheduler.")
        _check_members(name, schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                f"{name} expects one milestone less than schedulers, but got {len(schedulers)} schedulers and "
                f"{len(milestones)} milestones."
            )
        self._schedulers = schedulers
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        self.optimizer = optimizer
        # Every member has taken its first step when it was made: undo that, then take only the active member's.
        for group in optimizer.param_groups:
            set_lr(group, group["initial_lr"])
        self.recursive_undo()
        active = schedulers[bisect.bisect_right(milestones, 0)]
        active._initial_step()
        self._keep_rates(active.get_last_lr())

    def recursive_undo(self, sched=None):
        """Take back one step of every member, also inside members that hold others."""
        pending = [self if sched is None else sched]
        while pending:
            scheduler = pending.pop()
            if hasattr(scheduler, "_schedulers"):
                pending += scheduler._schedulers
            elif hasattr(scheduler, "last_epoch"):
                scheduler.last_epoch -= 1

    def step(self):
        """Advance by one step; at a milestone the next schedule starts from its step 0."""
        self.last_epoch += 1
        index = bisect.bisect_right(self._milestones, self.last_epoch)
        active = self._schedulers[index]
        if index > 0 and self._milestones[index - 1] == self.last_epoch:
            active._update_lr(0)
        else:
            active.step()
        self._keep_rates(active.get_last_lr())


class ChainedScheduler(_CompositeLR):
    """Schedules that act together: each step steps all of them, in order.

    Raises:
        ValueError: no schedules, or schedules of different optimizers.
    """

    def __init__(self, schedulers, optimizer=None):
        name = type(self).__name__
        if len(schedulers) < 1:
            raise ValueError(f"{name} expects at least one scheduler to be chained, but got no scheduler.")
        optimizer = optimizer or schedulers[0].optimizer
        _check_members(name, schedulers, optimizer)
        self._schedulers = schedulers
        self.optimizer = optimizer
        self._keep_rates(group_values(optimizer, "lr"))

    def step(self):
        """Step every schedule."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._keep_rates(group_values(self.optimizer, "lr"))
