"""Conditions of triggers: what must be true before one fires.

A family is a module. To add a condition, write its model in its family and list it here.
"""

from penstock.triggers.conditions import (
    dates,
    execution,
    expression,
    logic,
    public_holiday,
)
from penstock.triggers.conditions.reading import AnyCondition, register

for _model in (
    dates.DateTimeBetween,
    dates.TimeBetween,
    dates.DayWeek,
    dates.DayWeekInMonth,
    dates.Weekend,
    public_holiday.PublicHoliday,
    expression.Expression,
    expression.ExecutionOutputs,
    execution.ExecutionFlow,
    execution.ExecutionNamespace,
    execution.ExecutionStatus,
    execution.ExecutionLabels,
    execution.HasRetryAttempt,
    execution.FlowCondition,
    execution.FlowNamespaceCondition,
    logic.Not,
    logic.Or,
    logic.MultipleCondition,
):
    register(_model)

__all__ = ["AnyCondition"]
