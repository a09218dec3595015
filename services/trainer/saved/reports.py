"""What became of a run's checkpoints, told as facts and kept in its record."""

from lab.v1 import event_pb2
from lab.v1.checkpoint_pb2 import CHECKPOINT_KIND_WEIGHTS, Checkpoint
from lab.v1.event_pb2 import CheckpointCommitted, Event, LogWritten
from lab.v1.worker_pb2 import CheckpointStaged
from services.trainer.records.records import Records


class Reports:
    """A run that was deleted meanwhile is told nothing."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def kept(self, run_id: str, checkpoint: Checkpoint, staged: CheckpointStaged) -> None:
        if not self._records.has(run_id):
            return
        committed = CheckpointCommitted(
            checkpoint=checkpoint.name,
            step=checkpoint.step,
            size_bytes=checkpoint.size_bytes,
            saved_because=checkpoint.saved_because,
            stall_secs=staged.stall_secs,
            write_secs=staged.write_secs,
        )
        self._records.say(run_id, Event(checkpoint_committed=committed))
        if checkpoint.kind == CHECKPOINT_KIND_WEIGHTS:
            return  # the run cannot go on from it
        run = self._records.get(run_id)
        run.latest_checkpoint = checkpoint.name
        run.restarts = 0  # it got somewhere: what interrupts it next counts anew
        self._records.changed(run_id)

    def lost(self, run_id: str, staged: CheckpointStaged, reason: str) -> None:
        if not self._records.has(run_id):
            return
        written = LogWritten(
            level=event_pb2.LOG_LEVEL_ERROR,
            text=f"the checkpoint of step {staged.step:,} could not be kept: {reason}",
            step=staged.step,
        )
        self._records.say(run_id, Event(log_written=written))
