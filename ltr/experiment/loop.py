"""Loop of Frankle & Carbin (2019): train, prune, rewind, repeat, beside the controls."""

from ltr.experiment import joint
from ltr.experiment.joint import Trainings
from ltr.experiment.session import Observer, Session


def rounds(session: Session, observer: Observer) -> Trainings:
    """Find winning tickets by iterative magnitude pruning with rewinding (their strategy 1).

    Only lanes that the run's tables lack are trained. Each round trains the ticket and its controls, and is
    committed before the next begins. Lanes that find masks train before those that take them. A ticket that
    diverges, or in which pruning emptied a layer, ends the rounds of its own replicate. Trainings are
    yielded, as several runs may train together.
    """
    yield from session.draw_initial_weights(observer)
    session.forget_lost_masks()
    for round_number in range(session.experiment.rounds + 1):
        lanes = session.missing_lanes(round_number)
        if not lanes:
            continue
        session.compile_ahead(round_number + 1)
        tickets = session.find_tickets(round_number, lanes)
        for stage in session.stages(lane for lane in lanes if lane.replicate in tickets):
            observer.on_stage(
                f"round {round_number}/{session.experiment.rounds}",
                len(stage),
                session.step_cost(round_number),
            )
            starts = {lane: session.initial_state(lane, tickets) for lane in stage}
            outcomes = yield session.training(starts, session.spec.evaluate_at(stage[0]), observer)
            session.commit(round_number, starts, outcomes)
        observer.on_round_end(round_number)


def run(session: Session, observer: Observer) -> None:
    """Run the loop of one session."""
    for error in filter(None, joint.conduct([rounds(session, observer)])):
        raise error
