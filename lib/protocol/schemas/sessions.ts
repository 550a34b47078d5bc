/* Sessions and runs, as clients see them. */
import Type from 'typebox'
import { eventOf } from './events.ts'
import { MessageContent, Nullable, Reason, Status, Time } from './values.ts'

export const WaitingMessage = Type.Object({
  runId: Type.String({ description: 'The run that it will be.' }),
  messageId: Type.String(),
  preview: Type.String({ description: 'The first 200 characters of its text, in one line; `GET /runs/:runId` has all of it.' }),
  createdAt: Time({ description: 'When it was accepted.' })
}, { title: 'WaitingMessage', description: 'A message that waits its turn.' })

export const Session = Type.Object({
  id: Type.String(),
  provider: Type.Union([Type.String(), Type.Null()], { description: 'The provider of messages that name none; null = the default provider.' }),
  title: Nullable(Type.String()),
  metadata: Type.Record(Type.String(), Type.Unknown(), { description: 'The app\'s; never interpreted.' }),
  isProcessing: Type.Boolean({ description: 'Whether a run is running or waits.' }),
  runId: Type.Union([Type.String(), Type.Null()], { description: 'The running run, else null.' }),
  queue: Type.Array(Type.String(), { description: 'The runs that wait, next first.' }),
  waiting: Type.Array(WaitingMessage, { description: 'The messages that wait, next first, without those that were stopped; at most 100.' }),
  lastSeq: Type.Integer({ minimum: 0, description: 'The seq of the newest event; 0 = none yet.' }),
  compactedThrough: Type.Integer({ minimum: 0, description: 'Seqs up to here may have holes, where transient events were.' }),
  pendingPermissions: Type.Array(eventOf('permission_request'), { description: 'The requests that wait for an answer, oldest first, as far as they take 256 KiB together.' }),
  morePendingPermissions: Type.Array(Type.String(), { description: 'The ids of those that follow; what they ask for is in the log.' }),
  createdAt: Time(),
  updatedAt: Time()
}, { title: 'SessionView', description: 'A session with the state of its log, all from one snapshot of the store.' })

export const Run = Type.Object({
  runId: Type.String(),
  sessionId: Type.String(),
  provider: Type.String(),
  status: Status({ description: 'A queued run waits for the session\'s other runs, or for one of the process\'s slots.' }),
  cursor: Type.Integer({ minimum: 0, description: 'The seq before the run\'s first event; while it waits, one from which nothing of it is missed.' }),
  completeSeq: Type.Union([Type.Integer(), Type.Null()], { description: 'The seq of its `complete`; null before.' }),
  createdAt: Time({ description: 'When its message was accepted.' }),
  startedAt: Type.Union([Time(), Type.Null()], { description: 'Null while it waits.' }),
  completedAt: Nullable(Time()),
  exitCode: Nullable(Type.Integer()),
  success: Nullable(Type.Boolean()),
  aborted: Type.Union([Type.Boolean(), Type.Null()], { description: 'Already true of a run that waits but will not run: its `complete` comes in its turn.' }),
  reason: Nullable(Reason)
}, { title: 'RunState', description: 'One execution of a provider for one message.' })

export const RunMessage = Type.Object({
  messageId: Type.String(), content: MessageContent
}, { title: 'RunMessage', description: 'The message that a run answers.' })

export const RunDetails = Type.Object({ ...Run.properties, message: RunMessage }, { title: 'RunDetails', description: 'One run, with its message.' })

export const Abilities = Type.Object({
  images: Type.Optional(Type.Boolean({ description: 'Whether it takes images in a message.' })),
  files: Type.Optional(Type.Boolean({ description: 'Whether it takes other files in a message.' })),
  resume: Type.Optional(Type.Boolean({ description: 'Whether its agent keeps the conversation itself, and goes on with it in the next message.' })),
  approvals: Type.Optional(Type.Boolean({ description: 'Whether it may ask for approvals.' })),
  keptSessions: Type.Boolean({ description: 'Whether it can list the sessions that its agent has kept.' })
}, { title: 'Abilities', description: 'What a provider can do. What is left out is not known.' })

export const ProviderView = Type.Object({
  name: Type.String({ description: 'What messages and sessions call it.' }),
  isDefault: Type.Boolean({ description: 'Whether it answers messages and sessions that name none.' }),
  options: Type.Record(Type.String(), Type.Unknown(), { description: 'The JSON schema of a message\'s `options`: models, modes and whatever else clients may choose.' }),
  abilities: Abilities
}, { title: 'ProviderView', description: 'A provider that messages can name.' })

export const KeptSession = Type.Object({
  id: Type.String({ description: 'The agent\'s own id of it.' }),
  title: Type.Optional(Type.String()),
  cwd: Type.Optional(Type.String({ description: 'Where it worked.' })),
  updatedAt: Type.Optional(Time())
}, { title: 'KeptSession', description: 'A session that an agent has kept.' })

export const RunningRun = Type.Object({
  runId: Type.String(), sessionId: Type.String(), provider: Type.String(), startedAt: Time(), lastSeq: Type.Integer({ minimum: 0, description: 'The seq of the session\'s newest event.' })
}, { title: 'RunningRun', description: 'A running run, as listed.' })

export const PendingStop = Type.Object({
  status: Type.Literal('pending'),
  expiresAt: Type.String({ description: 'Until when the stop waits for its message.' })
}, { title: 'PendingStop', description: 'A stop whose message has not come: it holds when it does.' })

export const StartedRun = Type.Object({
  sessionId: Type.String(),
  runId: Type.String(),
  cursor: Type.Integer({ minimum: 0, description: 'The seq before the run\'s first event, or a lower one from which nothing of it is missed: follow from here.' }),
  status: Status({ description: 'What has become of it; `completed` only for a repeat.' })
}, { title: 'StartedRun', description: 'A message that was accepted.' })
