"""Loop of Frankle & Carbin (2019): train, prune, rewind, repeat, beside the controls."""

from ltr.experiment.session import Observer, Session


def run(session: Session, observer: Observer) -> None:
    """Find winning tickets by iterative magnitude pruning with rewinding (their strategy 1).

    Only lanes that the run's tables lack are trained. Each round trains the ticket and its controls, and is
    committed before the next begins. A ticket that diverges, or in which pruning emptied a layer, ends the
    rounds of its own replicate.
    """
    session.draw_initial_weights(observer)
    for round_number in range(session.experiment.rounds + 1):
        lanes = session.missing_lanes(round_number)
        if not lanes:
            continue
        session.compile_ahead(round_number + 1)
        observer.on_stage(
            f"round {round_number}/{session.experiment.rounds}", len(lanes), session.step_cost(round_number)
        )
        tickets = session.find_tickets(round_number, {lane.replicate for lane in lanes})
        starts = {
            lane: session.initial_state(lane, tickets[lane.replicate])
            for lane in lanes
            if lane.replicate in tickets
        }
        outcomes = session.train(starts, session.spec.schedule.evaluate_at(round_number), observer)
        session.commit(round_number, starts, outcomes)
        observer.on_round_end(round_number)
