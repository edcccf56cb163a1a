"""Loop of Frankle & Carbin (2019): train, prune, rewind, repeat, beside the controls."""

from ltr.experiment import joint
from ltr.experiment.joint import Trainings
from ltr.experiment.session import Observer, Session


def rounds(session: Session, observer: Observer) -> Trainings:
    """Find winning tickets by iterative magnitude pruning with rewinding (their strategy 1).

    Only lanes that the run's tables lack are trained. Each round trains the ticket and its controls, and is
    committed before the next begins. A ticket that diverges, or in which pruning emptied a layer, ends the
    rounds of its own replicate. Trainings are yielded, as several runs may train together.
    """
    yield from session.draw_initial_weights(observer)
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
        outcomes = yield session.training(starts, session.spec.schedule.evaluate_at(round_number), observer)
        session.commit(round_number, starts, outcomes)
        observer.on_round_end(round_number)


def run(session: Session, observer: Observer) -> None:
    """Run the loop of one session."""
    for error in filter(None, joint.conduct([rounds(session, observer)])):
        raise error
