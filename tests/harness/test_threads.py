"""Threads that check subjects which share a variable: one waits for the other."""

from __future__ import annotations

import threading

import numpy as np
import tensorflow as tf

import gradcheck


def test_threads_that_share_a_variable_get_right_verdicts_and_leave_it_alone():
    shared = tf.Variable(1.0, dtype=tf.float64)
    reports, failed = [], []

    def work(factor):
        try:
            for number in range(3):
                reports.append(gradcheck.check(lambda x: x * shared * factor, np.array([1.0, 2.0 + number])))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(float(factor),)) for factor in (2, 3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert len(reports) == 9
    assert all(report.ok for report in reports)
    assert shared.numpy() == 1.0


def test_threads_search_the_same_subject():
    shared = tf.Variable(1.0, dtype=tf.float64)
    results = []

    def subject(values):
        return values * shared

    def work(seed):
        strategy = gradcheck.strategies.batches(features=1, max_length=2)
        results.append(gradcheck.search(subject, strategy, max_examples=5, seed=seed, modes=["graph", "eager"]))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.ok for result in results] == [True, True]
    assert shared.numpy() == 1.0
