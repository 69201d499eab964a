/** The tracking plan and what sends it. */
export { type EventName, PLAN, type PropertiesOf } from './plan.ts';
export {
  type CaptureOptions,
  forUser,
  identify,
  type ServerClient,
  track,
  type TrackingClient,
  TrackingError,
} from './track.ts';
